# shellcheck shell=bash disable=SC2034
# The virtual Metis under AddressSanitizer, ill-treated: see fuzz/.
# shellcheck source=metis.sh
. "$LAB_DIR/variants/metis.sh"
chapter=fuzz
emulator=metis-asan
