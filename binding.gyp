{
  "targets": [
    {
      "target_name": "espalier",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "CMake build through scripts/build.mjs",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/espalier.node"],
          "action": ["node", "<(module_root_dir)/scripts/build.mjs", "--install", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
