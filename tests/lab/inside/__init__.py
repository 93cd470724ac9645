"""Tests that run in the virtual machine: bonds, VLANs and VLAN-aware bridges, on a kernel that has them."""
