"""The live lab: boot a real kernel under QEMU, or look at this machine, and write what it says as a record."""
