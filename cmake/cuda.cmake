# The CUDA kernels: compiled for the GPU where libtorch and the machine can, and everywhere for the host, where
# the C++ tests run them under an emulation of the launch.

# What all devices check: hidden in each library that has operators.
set(ESPALIER_OPERATOR_CHECKS native/kernels/check.cc native/kernels/select.cc)

if(ESPALIER_NATIVE_TESTS)
  add_library(espalier_emulation OBJECT EXCLUDE_FROM_ALL native/kernels/cuda/emulation/emulation.cc
    native/kernels/cuda/emulation/fibers.cc native/kernels/cuda/emulation/threads.cc
    native/kernels/cuda/emulation/kernels.cc ${ESPALIER_OPERATOR_CHECKS})
  target_link_libraries(espalier_emulation PRIVATE espalier_options)
  target_compile_definitions(espalier_emulation PRIVATE ESPALIER_EMULATION)
  target_compile_options(espalier_emulation PRIVATE -O2)

  # Under the thread sanitizer, which must have compiled everything: without torch.
  add_executable(espalier_races EXCLUDE_FROM_ALL test/native/races/races.cc
    native/kernels/cuda/emulation/emulation.cc native/kernels/cuda/emulation/fibers.cc
    native/kernels/cuda/emulation/threads.cc)
  target_include_directories(espalier_races PRIVATE native)
  target_include_directories(espalier_races SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
  target_compile_definitions(espalier_races PRIVATE ESPALIER_EMULATION)
  target_compile_options(espalier_races PRIVATE -O1 -g1 -Wall -Wextra -pthread -fsanitize=thread)
  target_link_options(espalier_races PRIVATE -pthread -fsanitize=thread)
endif()

# scripts/lib/cuda.mjs finds nvcc and says where; empty: they are not built.
set(ESPALIER_NVCC "" CACHE FILEPATH "nvcc, of the CUDA release that libtorch was built with")
set(ESPALIER_CUDA_ARCHITECTURES "80;90" CACHE STRING "Compute capabilities that the CUDA kernels are compiled for")
if(ESPALIER_NVCC)
  set(CMAKE_CUDA_COMPILER "${ESPALIER_NVCC}")
  set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}")
  set(CMAKE_CUDA_ARCHITECTURES ${ESPALIER_CUDA_ARCHITECTURES})
  # One runtime in the process, libtorch's: it holds the errors of launches.
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  enable_language(CUDA)
  # nvcc has C++20 since CUDA 12, which not every CMake knows.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  get_filename_component(_cuda "${ESPALIER_NVCC}" DIRECTORY)
  set(CUDAToolkit_ROOT "${_cuda}/..")
  find_package(CUDAToolkit REQUIRED)

  # Without torch's headers, but for those of its half types: nvcc takes minutes over the others.
  file(GLOB ESPALIER_CUDA_KERNELS CONFIGURE_DEPENDS native/kernels/cuda/*.cu)
  add_library(espalier_cuda_kernels OBJECT ${ESPALIER_CUDA_KERNELS})
  target_include_directories(espalier_cuda_kernels PRIVATE native)
  target_include_directories(espalier_cuda_kernels SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
  # Without contraction the same operations are rounded as on the CPU; what is to be fused is written so.
  target_compile_options(espalier_cuda_kernels PRIVATE ${_torch_flags} -fmad=false)
  set_target_properties(espalier_cuda_kernels PROPERTIES CUDA_STANDARD 20 CUDA_EXTENSIONS OFF
    CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

  add_library(espalier_ops_cuda SHARED native/kernels/cuda/driver.cc ${ESPALIER_OPERATOR_CHECKS}
    $<TARGET_OBJECTS:espalier_cuda_kernels>)
  espalier_library(espalier_ops_cuda $<CONFIG> "${ESPALIER_LOCAL_RPATH};${CUDAToolkit_LIBRARY_DIR}")
  target_include_directories(espalier_ops_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(espalier_ops_cuda PRIVATE "${TORCH_INSTALL_PREFIX}/lib/libtorch_cuda.so"
    "${TORCH_INSTALL_PREFIX}/lib/libc10_cuda.so" CUDA::cudart)

  add_executable(espalier_cuda_traffic EXCLUDE_FROM_ALL native/kernels/cuda/traffic.cc)
  target_link_libraries(espalier_cuda_traffic PRIVATE espalier_options)
endif()
