"""Virtual memory: the kernel's layout and how addresses are classified."""
