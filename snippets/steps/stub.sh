step_stub() {
    want_no_stub
}
