# Of the labs' scripts, which read it: how a command and a remark are shown. `status`: how the last command ended;
# `failed`: whether one did not end as it should.
run() {
    printf '\n\033[1m$ %s\033[0m\n' "$*"
    "$@"
    status=$?
    [ "$status" -eq 0 ] || printf '(exit status %s)\n' "$status"
}
note() { printf '\n# %s\n' "$*"; }
failed=0
expect() { [ "$status" -eq "$1" ] || { failed=1; printf '(exit status %s was expected)\n' "$1"; }; }
