step_host() {
    need_root
    need_host
    need_release {{ release_file }} {{ release_pattern }}
    need_series {{ series | string }}
    need_packages {{ packages }}
    need_commands {{ tools }} \
        {{ commands }}
    need_no_rival {{ rivals }}
}
