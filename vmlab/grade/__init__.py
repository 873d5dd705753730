"""Grading a class: untrusted code only computes; trusted code outside compares.

A learner's cells run in a sandbox that holds nothing worth stealing: no answers, no seeds, no other submission, no
model, no network, nothing that can be written. Inputs go in and plain values come out, as data with limits.
"""
