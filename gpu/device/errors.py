"""What can go wrong with a device."""


class DeviceLostError(Exception):
    """The device, or the process that has it, gives no answer; whoever asked searches on the host."""
