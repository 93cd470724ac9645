#!/bin/sh
# The first process of the virtual machine: kernel file systems, the modules for which there is a machine at all, and
# what the host has handed over as a tar archive on the second disk; start.sh in it goes on from there.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 run /run
for directory in /tmp /var/tmp /root; do mount -t tmpfs tmp "$directory"; done
mkdir -p /dev/pts /dev/shm /run/lab
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
ip link set lo up
modprobe -a virtio_pci virtio_blk virtio_console overlay fuse veth bridge 8021q
modprobe bonding max_bonds=0
tar -xf /dev/vda -C /run/lab
sh /run/lab/tests/lab/inside/start.sh
busybox poweroff -f
