# agpt_add_test(folder/name [LIBS lib...] [LABELS label...]): the test program folder/name.cpp, found by ctest as name.
function(agpt_add_test path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;LABELS")
  get_filename_component(name ${path} NAME)
  add_executable(${name} ${path}.cpp)
  target_link_libraries(${name} PRIVATE agpt::agpt agpt_flags agpt_doctest ${arg_LIBS})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
