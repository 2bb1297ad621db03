"""What commands share: flags and flagfiles, help, what reaches the terminal; `configs` and `doctor`."""
