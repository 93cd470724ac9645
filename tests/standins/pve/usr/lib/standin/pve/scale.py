"""How long things take and how large keys are: in a sandbox less than in truth.

Another module of this name has other measures. Settings (README.md of the stand-ins) win over the two lengths of time
that have one of the same name.
"""

QUORUM_DELAY = 0.3  # seconds from corosync's quorum to a writable /etc/pve; 4.7-5.1 in truth
QUORUM_LOOK = 0.05  # seconds between two looks of `pvecm add` for quorum; 1 in truth
PARALLEL = 0.0  # seconds after an addnode within which another one hangs all of them; in a sandbox it does not
CREATE = 0.0  # seconds that a create takes beyond what the stand-ins need; 4-5 in all in truth
COMPARE = 0.1  # seconds between two comparisons of the members' versions
SSH_KEY_BITS = 1024  # 2048 in truth, 4096 from 8.0.6
CERTIFICATE_KEY = ("EC", "ec_paramgen_curve:P-256")  # RSA of 2048 bits in truth
AUTHORITY_KEY = CERTIFICATE_KEY  # RSA of 4096 bits in truth
