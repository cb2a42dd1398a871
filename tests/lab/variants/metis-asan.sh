# shellcheck shell=bash disable=SC2034
# The virtual Metis under AddressSanitizer, ill-treated: see fuzz/.
# shellcheck source=metis.sh
. "$LAB_DIR/variants/metis.sh"
chapter=fuzz
emulator=metis-asan
# The other id that the vendor's driver gives this layout (alpha silicon).
devices[3]=${devices[3]/metis,/metis,device-id=0x11aa,}
