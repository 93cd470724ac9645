#!/bin/sh
digest={{ digest | string }}
{{ t("head.digest") | comment }}
{{ t("head.crlf_why") | comment }}
eol=''
[ -z "$eol" ] || { printf '%s\n' {{ m("head.crlf") }} >&2; exit 78; } #
{{ t("head.quotes") | comment }}
: '
echo This copy is damaged: copy it again. >&2; exit 78
'
: "
echo This copy is damaged: copy it again. >&2; exit 78
"
set -u
{{ t("head.functions") | comment }}
case ${BASH_VERSION:-} in
    '') ;;
    *) eval 'for name in $(declare -F); do case $name in declare | -*) ;; *) unset -f "$name" ;; esac; done' ;;
esac
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset POSIXLY_CORRECT
{{ t("head.checked") | comment }}
case $- in
    *[s]*) copy=/proc/self/fd/0 ;;
    *) copy=$0 ;;
esac
copy_digest=''
if [ -f "$copy" ]; then
    copy_digest=$(sed 2d -- "$copy" | sha256sum)
    copy_digest=${copy_digest%% *}
    [ "$copy_digest" = "$digest" ] || { printf '%s\n' {{ m("head.damaged", found=v("${copy_digest:-?}"), digest=v("$digest")) }} 1>>/proc/self/fd/2; exit 78; }
elif [ ! -e "$copy" ]; then
    printf '%s\n' {{ m("head.no_file", file=v("$copy"), node=node) }} 1>>/proc/self/fd/2
    exit 78
fi
: '
echo This copy is damaged: copy it again. >&2; exit 78
'
: "
echo This copy is damaged: copy it again. >&2; exit 78
"

{{ t("head.title", node=node, cluster=cluster, title=title) | comment }}
#
{{ usage_text | comment }}
#
{% if creates and is_cluster %}
{{ t("head.creates") | comment }}
#
{% elif is_cluster %}
{{ t("head.joins", member=member) | comment }}
#
{% endif %}
{{ t("head.made", version=version) | comment }}
#
{{ t("head.words") | comment }}

node={{ node | string }}
cluster={{ cluster | string }}
target={{ target | string }}
packages_by={{ packages_by | string }}
pvegen_version={{ version | string }}
other_nodes={{ others | string }}
{% if is_cluster %}
trust={{ trust | string }}
open_minutes={{ open_minutes }}
ssh_dir={{ ssh_dir | string }}
sshd_config=$ssh_dir/sshd_config
sshd_unit={{ ssh_unit | string }}
{% endif %}

{{ t("head.units") | comment }}
unit_names={{ units | string }}

{{ t("head.limits") | comment }}
{% for name, seconds in limits.items() %}
limit_{{ name | sh }}={{ seconds }}
{% endfor %}

{% for step in steps %}
{{ step.why | comment }}
{{ step.text }}
{% endfor %}
{{ t("head.order") | comment }}
step_names='{{ step_names | sh }}'

each_step() {
{% for step in steps %}
    if step {{ step.name | sh }} {{ step.title_word }}; then step_{{ step.function | sh }}; fi
{% endfor %}
}

usage() {
    cat {{ usage_text | heredoc }}
}
{% if is_cluster %}

{{ t("head.other_calls") | comment }}
other_call() {
    case $call in
{% if has_trust %}
        keys) print_keys ;;
{% endif %}
{% if fingerprints %}
        fingerprint) print_fingerprint ;;
{% endif %}
{% if admits %}
        admit) admit ;;
        close) close_admission ;;
{% endif %}
        *) ;;
    esac
}
{% endif %}

{{ t("head.after") | comment }}
after_apply() {
{% if admits %}
    remark {{ m("next.admit", others=joined_by, script=v("$again")) }}
{% endif %}
{% if fingerprints and joined_by %}
    remark {{ m("next.fingerprint", others=joined_by, script=v("$again")) }}
{% endif %}
    remark {{ m("next.verify", script=v("$again")) }}
}

@runtime@
main "$@"
