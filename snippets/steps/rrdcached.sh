step_rrdcached() {
    on_change rrdcached
    want_copy {{ sysconfig }} {{ templates }}
{% for directory in directories %}
    want_directory {{ directory }}
{% endfor %}
    settle rrdcached systemctl restart rrdcached
}
