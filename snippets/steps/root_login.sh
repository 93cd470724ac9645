step_root_login() {
    on_change {{ unit }}
    check_with=sshd_accepts
    want_root_login {{ policy }} {{ sshd_config }} {{ by_key }}
    need_sshd_fine
    settle {{ unit }} systemctl reload-or-restart {{ unit }}
    check_with=''
    expect {{ m("ssh.root_login") }} 5 \
        {{ m("ssh.root_login_do") }} \
        root_login_as_wanted {{ policy }}
}
