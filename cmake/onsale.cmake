# onsale_library(NAME LINKED...)   the folder's sources as the static library onsale_NAME
# onsale_service(NAME LINKED...)   the same, and the program NAME from its main.c, which is installed
# onsale_stand_in(NAME LINKED...)  as onsale_service, for development and tests alone: not installed
#
# What the folder has decides what is made: sql/, migrations/ and functions/ become queries.h (tools/sqlgen.py), templates/ and static/ become
# templates.h (tools/templategen.py, tools/staticgen.py). Headers in priv/ compile only where NAME_PRIV is defined: in the library
# itself, and in tests of it.

function(private_name name out)
    string(TOUPPER ${name} upper)
    string(REPLACE "-" "_" upper ${upper})
    set(${out} ${upper}_PRIV PARENT_SCOPE)
endfunction()

# Sources of the target that the build makes.
function(sources_made target)
    target_sources(${target} PRIVATE ${ARGN})
    add_custom_target(${target}_${ARGC}_made DEPENDS ${ARGN})
    add_dependencies(generated ${target}_${ARGC}_made)
endfunction()

# Embeds the .sql files of the folder as queries.h and queries.c.
function(embed_sql target)
    file(GLOB files CONFIGURE_DEPENDS sql/*.sql sql/background/*.sql migrations/*.sql functions/*.sql)
    if(NOT files)
        return()
    endif()
    # A file that is renamed or gone makes nothing newer: the list of them does.
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/sql_files.txt CONTENT "${files}")
    set(made ${CMAKE_CURRENT_BINARY_DIR}/queries.h ${CMAKE_CURRENT_BINARY_DIR}/queries.c)
    add_custom_command(
        OUTPUT ${made}
        COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/sqlgen.py ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}
        DEPENDS ${files} ${CMAKE_CURRENT_BINARY_DIR}/sql_files.txt ${PROJECT_SOURCE_DIR}/tools/sqlgen.py
        VERBATIM)
    sources_made(${target} ${made})
endfunction()

# Templates as C, static files embedded.
function(embed_pages target)
    file(GLOB pages CONFIGURE_DEPENDS templates/*.html static/* texts/*.txt)
    if(NOT pages)
        return()
    endif()
    file(GLOB generators CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/template*.py ${PROJECT_SOURCE_DIR}/tools/texts.py ${PROJECT_SOURCE_DIR}/tools/htmlplace.py
         ${PROJECT_SOURCE_DIR}/tools/staticgen.py)
    set(templates ${CMAKE_CURRENT_SOURCE_DIR}/templates)
    set(static ${CMAKE_CURRENT_SOURCE_DIR}/static)
    set(out ${CMAKE_CURRENT_BINARY_DIR})
    set(made ${out}/templates.h ${out}/templates.c)
    if(EXISTS ${static})
        list(APPEND made ${out}/static_files.c)
        set(embed COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/staticgen.py ${static} ${out})
    endif()
    add_custom_command(
        OUTPUT ${made}
        COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/templategen.py ${templates} ${static} ${out} ${CMAKE_CURRENT_SOURCE_DIR}/texts
        ${embed}
        DEPENDS ${pages} ${generators}
        VERBATIM)
    sources_made(${target} ${made})
endfunction()

function(onsale_library name)
    set(target onsale_${name})
    file(GLOB sources CONFIGURE_DEPENDS *.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    private_name(${name} private)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
    target_compile_definitions(${target} PRIVATE ${private})
    target_link_libraries(${target} PUBLIC ${ARGN} PRIVATE onsale_flags)
    embed_sql(${target})
    embed_pages(${target})
endfunction()

function(onsale_stand_in name)
    onsale_library(${name} onsale_service onsale_events ${ARGN})
    add_executable(${name} main.c)
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
    target_link_libraries(${name} PRIVATE onsale_${name} onsale_flags)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()

function(onsale_service name)
    onsale_stand_in(${name} ${ARGN})
    install(TARGETS ${name})
endfunction()
