CLIENTS = []
class Habits: pass
def run(): pass
