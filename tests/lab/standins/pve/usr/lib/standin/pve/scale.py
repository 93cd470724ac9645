"""How long things take and how large keys are: as in truth."""

QUORUM_DELAY = 5.0  # facts: "for 4.7-5.1 s after create, `pvecm status` already says Quorate: Yes while /etc/pve ..."
QUORUM_LOOK = 1.0  # facts: "`while !quorum sleep 1` **WITHOUT TIMEOUT**"
PARALLEL = 30.0  # facts: "PARALLEL ADDS hang both nodes"; for how long is not known
CREATE = 3.0  # facts: "create: 4-5 s, up to 15"
COMPARE = 0.5  # seconds between two comparisons of the members' versions
SSH_KEY_BITS = 2048  # facts: "/root/.ssh/id_rsa (RSA, 2048 bit; 4096 from 8.0.6)": half of that from 8.0.6
CERTIFICATE_KEY = ("RSA", "rsa_keygen_bits:2048")
AUTHORITY_KEY = CERTIFICATE_KEY  # RSA of 4096 bits in truth, which takes from three to fifteen seconds
