step_ssh() {
{% if environment %}
    on_change {{ unit }}
    check_with=sshd_accepts
    want_block {{ sshd_config }} environment first {{ "AcceptEnv LC_PVE_TICKET\n" | heredoc }}
    need_sshd_fine
    settle {{ unit }} systemctl reload-or-restart {{ unit }}
    check_with=''
    on_change ''
    want_block {{ ssh_config }} environment first {{ "SendEnv LC_PVE_TICKET\n" | heredoc }}
{% endif %}
    want_units required run {{ unit }}
{% for other in others %}
    expect_ticket {{ other.address }} {{ other.name }}
{% endfor %}
}
