# libtorch in ESPALIER_LIBTORCH. Sets TORCH_INSTALL_PREFIX, TORCH_INCLUDE_DIRS, TORCH_LIBRARIES, TORCH_CXX_FLAGS,
# Torch_VERSION and ESPALIER_TORCH_VARIANT.
if(NOT EXISTS "${ESPALIER_LIBTORCH}/lib/libtorch_cuda.so")
  set(ESPALIER_TORCH_VARIANT cpu)
  # It warns of static libraries that a shared libtorch does not have.
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)
  find_package(Torch REQUIRED PATHS "${ESPALIER_LIBTORCH}" NO_DEFAULT_PATH)
  unset(CMAKE_MESSAGE_LOG_LEVEL)
else()
  # The package file of a libtorch with CUDA asks for a whole CUDA toolkit, which nobody needs who builds no
  # kernels; and all that is needed of it are headers and libraries.
  set(ESPALIER_TORCH_VARIANT cuda)
  get_filename_component(TORCH_INSTALL_PREFIX "${ESPALIER_LIBTORCH}" REALPATH)
  foreach(_file version.py build-version)
    if(EXISTS "${TORCH_INSTALL_PREFIX}/${_file}")
      file(READ "${TORCH_INSTALL_PREFIX}/${_file}" _text)
      if(_text MATCHES "([0-9]+\\.[0-9]+\\.[0-9]+)")
        set(Torch_VERSION ${CMAKE_MATCH_1})
        break()
      endif()
    endif()
  endforeach()
  set(TORCH_INCLUDE_DIRS "${TORCH_INSTALL_PREFIX}/include"
    "${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include")
  set(TORCH_LIBRARIES "")
  foreach(_library torch torch_cpu c10)
    list(APPEND TORCH_LIBRARIES "${TORCH_INSTALL_PREFIX}/lib/lib${_library}.so")
  endforeach()
  set(TORCH_CXX_FLAGS "")
endif()
