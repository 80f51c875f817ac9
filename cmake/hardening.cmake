# Puts into onsale_flags what distributions harden their programs by. tests/integration/test_hardening.py reads the programs for it.

include(CheckCCompilerFlag)

target_compile_options(onsale_flags INTERFACE -fPIE -fstack-clash-protection -Wformat -Werror=format-security)
target_link_options(onsale_flags INTERFACE -pie LINKER:-z,relro LINKER:-z,now)

# Only some processors have it.
check_c_compiler_flag(-fcf-protection=full HAVE_CF_PROTECTION)
if(HAVE_CF_PROTECTION)
    target_compile_options(onsale_flags INTERFACE -fcf-protection=full)
endif()

# Sanitizers do without these two: the checked functions would hide calls from them, and zeros would hide the use of what was never set.
if(NOT ONSALE_SANITIZE AND NOT ONSALE_FUZZ)
    target_compile_options(onsale_flags INTERFACE -ftrivial-auto-var-init=zero)
    # It needs an optimizing compiler, and glibc warns without one.
    target_compile_options(onsale_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()
