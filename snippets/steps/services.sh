step_services() {
    want_units present run {{ before }}
    want_units required run {{ cluster }}
}
