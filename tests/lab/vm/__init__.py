"""One virtual machine under QEMU's software emulation, for what the testing machine's own kernel lacks."""
