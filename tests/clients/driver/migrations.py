TOOLS = []
class Tool: pass
def run(): pass
