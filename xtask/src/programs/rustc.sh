#!/bin/sh
# The compiler as `cargo xtask` has cargo call it: a program that XTASK_STATIC names
# holds the C library, any other finds it by a loader. Only the last step, linking,
# differs: what programs share is compiled once for both.
for program in $XTASK_STATIC; do
    [ "$program" = "$CARGO_BIN_NAME" ] && set -- "$@" -Ctarget-feature=+crt-static
done
exec ${XTASK_RUSTC_WRAPPER:+"$XTASK_RUSTC_WRAPPER"} "$@"
