"""What need not be worked out twice: vectors of questions, and which memories a question found a moment ago."""
