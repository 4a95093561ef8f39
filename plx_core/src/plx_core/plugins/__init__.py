"""The installed plug-ins and the components that each of them offers."""
