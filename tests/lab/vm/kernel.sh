#!/bin/sh
# Run by mmdebstrap when the packages are in place; $1 is the new root. Unpacks Debian's kernel for virtual machines
# without its dependencies: no boot loader and no initramfs are wanted. It comes with NVMe and ext4 built in.
set -eu
exec chroot "$1" sh -eu <<'END'
cd /tmp
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p')
apt-get -q download "$package"
dpkg --fsys-tarfile linux-image-*.deb | tar -x --keep-directory-symlink -C / ./boot ./lib/modules
rm linux-image-*.deb
depmod "$(ls /lib/modules)"
END
