"""What is measured: pure functions of batched pictures, each with a record of its protocol."""
