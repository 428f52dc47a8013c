# The same sources for arm64, against Debian's libraries unpacked below MOONWATCH_SYSROOT.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_C_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# CMake's own trial compilations need it too.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MOONWATCH_SYSROOT)
set(CMAKE_SYSROOT ${MOONWATCH_SYSROOT})
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${MOONWATCH_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
  ${MOONWATCH_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MOONWATCH_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
# Programs run on the build host; headers and libraries are the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
