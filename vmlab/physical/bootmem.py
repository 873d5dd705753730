"""bootmem: placeholder"""
def replay(*a): raise NotImplementedError
