"""Pure decisions about the job: its states, its batches, what an outcome means, who may do what."""
