# The target h2o: the library that Debian has, or the one below H2O_ROOT, a folder with its headers in include/ and the library in lib/
# (or in usr/, as a package has them). What differs between versions is in common/h2o/h2o_compat.c.

set(H2O_ROOT "$ENV{H2O_ROOT}" CACHE PATH "Where h2o is, if not where the system has it")
if(H2O_ROOT)
    set(only PATHS ${H2O_ROOT} ${H2O_ROOT}/usr NO_DEFAULT_PATH)
endif()
find_path(H2O_INCLUDE h2o.h ${only} PATH_SUFFIXES include NO_CACHE REQUIRED)
find_library(H2O_EVLOOP h2o-evloop ${only} PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_CACHE REQUIRED)

add_library(h2o INTERFACE)
target_include_directories(h2o SYSTEM INTERFACE ${H2O_INCLUDE})
target_compile_definitions(h2o INTERFACE H2O_USE_LIBUV=0)
target_link_libraries(h2o INTERFACE ${H2O_EVLOOP} OpenSSL::SSL OpenSSL::Crypto z)
if(EXISTS ${H2O_INCLUDE}/h2o/timerwheel.h) # newer than 2.2: linked statically, and h2o_compat.c says what for
    target_link_libraries(h2o INTERFACE m ${CMAKE_DL_LIBS})
    target_link_options(h2o INTERFACE LINKER:--wrap=phr_parse_request)
endif()
