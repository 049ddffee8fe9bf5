# The CUDA kernels: compiled for the GPU where libtorch and the machine can, and everywhere for the host, where
# the C++ tests run them under an emulation of the launch.

# What the operators of every device check, compiled into each library that has operators.
set(ESPALIER_OPERATOR_CHECKS native/kernels/check.cc native/kernels/select.cc)

if(ESPALIER_NATIVE_TESTS)
  add_library(espalier_emulation OBJECT EXCLUDE_FROM_ALL native/kernels/cuda/emulation/emulation.cc
    native/kernels/cuda/emulation/fibers.cc native/kernels/cuda/emulation/threads.cc
    native/kernels/cuda/emulation/kernels.cc ${ESPALIER_OPERATOR_CHECKS})
  target_link_libraries(espalier_emulation PRIVATE espalier_options)
  target_compile_definitions(espalier_emulation PRIVATE ESPALIER_EMULATION)
  target_compile_options(espalier_emulation PRIVATE -O2)
endif()
