class Buddy:
    def __init__(self, zones, free, max_order): self.free=free
