"""The real kernel is the judge: what is predicted, compared with what recorded kernels said."""
