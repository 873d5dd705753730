"""RISC-V: page-table formats only. There is no recorded machine, so no boot is modelled."""
