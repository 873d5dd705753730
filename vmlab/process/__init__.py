"""Processes: address spaces that fault, fork, swap and move."""
