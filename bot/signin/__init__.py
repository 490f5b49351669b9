"""Pure decisions about the job: states and transitions, batches, outcomes, policy. No I/O."""
