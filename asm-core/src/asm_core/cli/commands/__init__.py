"""The commands of ``asm``, a module each."""
