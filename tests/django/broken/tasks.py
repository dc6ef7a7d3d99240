WRONG = 1 / 0
