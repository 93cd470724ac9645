# Goes on from the machine's init: a shell on the console for people, or the tests that the host asks for.
cd /run/lab || return
export PVEGEN_IN_VM=1 PYTHONPATH=/run/lab/tests PYTHONDONTWRITEBYTECODE=1
case " $(cat /proc/cmdline) " in
    *' lab.shell '*)
        setsid -c bash -i <> /dev/ttyS0 >&0 2>&0
        ;;
    *)
        # rootdir is what the names of tests begin at, as on the host; of conftest.py only that of this folder counts.
        python3 -m pytest -q --color=no -p lab.inside.worker -p no:cacheprovider --rootdir=/run/lab -c /dev/null \
            --confcutdir=/run/lab/tests/lab/inside tests/lab/inside
        ;;
esac
