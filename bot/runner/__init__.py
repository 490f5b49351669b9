"""Background loops: submit, poll, reconcile, publish, expire, remind. Nothing here answers people."""
