"""Functions that learners write, one file a lesson: how cases are drawn, what the model says, which beliefs mislead."""
