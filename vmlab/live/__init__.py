"""The live lab: boot a real kernel under QEMU, or look at the machine this runs on, and write what it says as a record."""
