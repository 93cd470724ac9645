# Starts one node: run by `unshare` as the first process of the node's own namespaces.
# $1 the directory that holds layer/ upper/ work/ root/ standin/, $2 the host name.
set -eu
box=$1
i=0
until mount -t overlay -o "lowerdir=$box/layer:/,upperdir=$box/upper,workdir=$box/work" node "$box/root" 2>/dev/null; do
    i=$((i + 1)) # the mount of the boot before may take a moment to go
    [ "$i" -lt 1500 ] || { mount -t overlay -o "lowerdir=$box/layer:/,upperdir=$box/upper,workdir=$box/work" node "$box/root"; exit 1; }
    sleep 0.02
done
cd "$box/root"
mount --bind "$box/standin" var/lib/standin
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/net run/lock run/sshd run/standin run/standin/old
chmod 1777 dev/shm run/lock
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/fuse dev/
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 dev/
(cd dev && mv 0 stdin && mv 1 stdout && mv 2 stderr)
printf '%s\n' "$2" > /proc/sys/kernel/hostname
pivot_root . run/standin/old
umount -l run/standin/old
rmdir run/standin/old
echo ready
exec env --ignore-signal=CHLD cat >/dev/null
