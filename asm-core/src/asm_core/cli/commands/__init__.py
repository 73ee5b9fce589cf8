"""The commands of ``asm``, one module each."""
