mkdir /etc/net/ifaces/vmbr0
mv /etc/net/ifaces/eth0/* /etc/net/ifaces/vmbr0/
cp /etc/net/ifaces/vmbr0/options /etc/net/ifaces/eth0/
cat <<EOF > /etc/net/ifaces/vmbr0/options
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
HOST='eth0'
ONBOOT=yes
TYPE=bri
EOF
cat <<EOF  > /etc/net/ifaces/vmbr0/brctl
stp AUTO off
setfd AUTO 0
EOF
printf "\nauto vmbr0\n\tiface vmbr0 inet static\n\taddress 10.0.0.254\n\tnetmask 255.255.255.0\n\tgateway 10.0.0.1\n\tbridge_ports eth0\n\tbridge_stp off\n\tbridge_fd 0\n" >> /etc/network/interfaces
. /etc/sysconfig/clock
echo $ZONE > /etc/timezone
ln -sf /usr/share/zoneinfo/$ZONE /etc/localtime
echo "10.0.0.251 pve1.localdomain pve1" >> /etc/hosts
echo "10.0.0.252 pve2.localdomain pve2" >> /etc/hosts
N=$(($(sed -n '/^AcceptEnv/{=}' /etc/openssh/sshd_config | tail -1) + 1)); sed -i "${N}i AcceptEnv LC_PVE_TICKET\n" /etc/openssh/sshd_config
N=$(($(sed -n '/^[[:space:]]*SendEnv/{=}' /etc/openssh/ssh_config | tail -1) + 1)); sed -i "${N}i \ \ \ \ SendEnv LC_PVE_TICKET\n" /etc/openssh/ssh_config
systemctl restart sshd
cp /usr/share/doc/pve-manager/rrdcached.sysconfig /etc/sysconfig/rrdcached
mkdir -p /var/lib/rrdcached/{db,journal}
rm -f /etc/corosync/corosync.conf
systemctl start syslogd ntpd rrdcached ksmtuned crond lxcfs cgmanager nfslock rpcbind corosync pve-cluster
systemctl enable syslogd ntpd rrdcached ksmtuned crond lxcfs cgmanager nfslock rpcbind corosync pve-cluster
pvecm add pve1
systemctl restart corosync pve-cluster
systemctl start pve-manager
systemctl enable pve-manager
