"""The question bank: one file per lesson."""
